"""What every section of a config is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A mapping with a fixed set of keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Component(BaseModel):
    """A `name` and the parameters of the builder or Keras class behind it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description="Which one.")

    @property
    def parameters(self) -> dict[str, Any]:
        """What is passed to the builder by keyword."""
        return dict(self.model_extra or {})
