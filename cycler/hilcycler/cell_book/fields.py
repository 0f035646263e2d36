"""What may be written about a cell, each value as somebody wrote it, with its unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from pydantic import Field, ValidationError

from hilcycler import quantities
from hilcycler.cell import Cell, Electrode
from hilcycler.errors import RequestError
from hilcycler.language.resolve import Resolver
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Area, Capacity, Length, Mass, Name, Of, Prose, Written

Volume = Annotated[Written, Of((quantities.VOLUME,))]
Share = Annotated[Written, Of((quantities.RATIO,))]


class Fields(Strict):
    """A cell's record. Weights are of the working electrode, with its foil and of its foil alone."""

    working: Name = Field(description="the working electrode, such as Cu, Li or LFP")
    counter: Name = Field(description="the counter electrode, such as Li")
    reference: Name | None = Field(None, description="the reference electrode, if there is one")
    batch: Name | None = Field(None, description="which batch the cell belongs to")
    working_diameter: Length | None = Field(None, description="such as 15 mm")
    counter_diameter: Length | None = Field(None, description="such as 15 mm")
    area: Area | None = Field(None, description="in place of diameters: the smaller electrode's")
    electrode_weight: Mass | None = Field(None, description="working electrode with its foil, 24.1 mg")
    foil_weight: Mass | None = Field(None, description="its foil alone, such as 12.9 mg")
    active_fraction: Share | None = Field(None, description="active material in the coating, such as 80 %")
    active_mass: Mass | None = Field(None, description="in place of weights")
    nominal_capacity: Capacity | None = Field(None, description="what 1 C is: 170 mAh/g, 2 mAh/cm2, 2 mAh")
    electrolyte: Prose | None = Field(None, description="such as 1 M LiTFSI in DOL:DME 1:1 v")
    electrolyte_volume: Volume | None = Field(None, description="such as 30 uL")
    separator: Name | None = Field(None, description="such as Celgard 2325")
    separator_thickness: Length | None = Field(None, description="such as 25 um")
    notes: Prose | None = Field(None, description="whatever else should be remembered")


KEYS: Final = tuple(Fields.key_names())


def checked(name: str, written: Mapping[str, str]) -> Fields:
    """The fields that `written` holds; RequestError with everything that is wrong with them."""
    try:
        return Fields.model_validate(dict(written))
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise RequestError("\n".join(f"cell {name}: {fault}" for fault in faults)) from None


def cell_of(name: str, fields: Fields) -> Cell:
    """The cell as runs and evaluations know it: areas and masses computed from what was measured."""
    area, mass = _area(fields), _active_mass(name, fields)
    notes = {
        key: str(value)
        for key in ("batch", "separator", "electrolyte volume", "notes")
        if (value := getattr(fields, Fields.key_names()[key])) is not None
    }
    bare = Cell(
        name=name,
        working=Electrode(fields.working, _disc(fields.working_diameter), mass),
        counter=Electrode(fields.counter, _disc(fields.counter_diameter)),
        reference=None if fields.reference is None else Electrode(fields.reference),
        area=area,
        separator_thickness=None if fields.separator_thickness is None else fields.separator_thickness.si,
        electrolyte=fields.electrolyte or "",
        notes=notes,
    )
    if fields.nominal_capacity is None:
        return bare
    resolver = Resolver(bare)
    capacity = resolver.coulomb(fields.nominal_capacity)
    if resolver.faults:
        raise RequestError(f"cell {name}: nominal capacity: {resolver.faults[0].message}")
    return replace(bare, nominal_capacity=capacity)


def _area(fields: Fields) -> float | None:
    """The smaller electrode's, as stated or by diameter."""
    if fields.area is not None:
        return fields.area.si
    discs = [each for each in (_disc(fields.working_diameter), _disc(fields.counter_diameter)) if each]
    return min(discs, default=None)


def _disc(diameter: Written | None) -> float | None:
    return None if diameter is None else math.pi / 4.0 * diameter.si**2


def _active_mass(name: str, fields: Fields) -> float | None:
    if fields.active_mass is not None:
        return fields.active_mass.si
    if fields.electrode_weight is None or fields.foil_weight is None or fields.active_fraction is None:
        return None
    coating = fields.electrode_weight.si - fields.foil_weight.si
    if not coating > 0.0:
        raise RequestError(
            f"cell {name}: electrode weight {fields.electrode_weight} is not more than the foil's {fields.foil_weight}"
        )
    if not fields.active_fraction.si <= 1.0:
        raise RequestError(f"cell {name}: active fraction {fields.active_fraction}; expected at most 100 %")
    return coating * fields.active_fraction.si
