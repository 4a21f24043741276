"""What the user writes, from text to a frozen Config.

In the order of work: `yaml_reader` (text to a tree with places, `nodes`), `extending`, `shorthand`, `overrides`, then
the checks: `parameters` (builders), `keras_objects`, `sections` (the keys in `schema`), `coherence`, `keras_rules`;
`loading` calls them. `metric_names` tells what Keras will log.
Out again: `dumping`, `origins`, `json_schema`. `finding` knows where configs are.
"""
