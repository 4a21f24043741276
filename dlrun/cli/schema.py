"""`dlrun schema`: what editors need to complete and check configs."""

from __future__ import annotations

from dlrun.cli._options import Json


def schema(as_json: Json = False) -> None:
    """Print the JSON Schema of configs, with the names of all components. Editors use it to complete and check.

    The output is always one JSON object. A config says where it is:
    `# yaml-language-server: $schema=dlrun.schema.json`
    """
    from dlrun.cli._output import print_json
    from dlrun.config.json_schema import config_json_schema

    print_json(config_json_schema())
