"""The measurements of the five papers, row by row, in the order of their texts.

A row names the cells and which of their published numbers it holds; a number belongs to a profile,
with its conditions. Rows without a number in the text are executed: the protocol file of the row runs
on the twin, with fewer cycles. What no cycler can do says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Numbers:
    """The published numbers of `cells` of that `kind`, of those whose conditions are as in `where`."""

    cells: tuple[str, ...]
    kinds: tuple[str, ...]
    where: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Executed:
    """A protocol file of the library on `cell`, with words replaced to shorten it."""

    cell: str
    file: str
    replaced: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: what it is, its numbers, what is executed, or why there is nothing."""

    what: str
    numbers: tuple[Numbers, ...] = ()
    executed: Executed | None = None
    reason: str = ""


MICROSCOPE: Final = "a microscope looks at the deposit; the plating before it is other rows'"


def _cycling(current: float, charge: float) -> Mapping[str, object]:
    """Conditions in mA/cm2 and mAh/cm2."""
    return {"current": current * 10.0, "charge": charge * 3.6e4}


LIVES: Final = ("overpotential", "outlives", "short", "onset")
FULL: Final = ("capacity", "retention", "mean-efficiency")
E1: Final = ("efficiency",)

WNG: Final = {
    1: Row(
        "conductivity of four separators",
        (Numbers(("ss-ss/wng", "ss-ss/wng-control", "ss-ss/wng-ng", "ss-ss/wng-w2n3"), ("conductivity",)),),
    ),
    2: Row("transference number", (Numbers(("li-li/wng", "li-li/wng-control"), ("transference",)),)),
    3: Row(
        "Li||Li 0.8 mA/cm2, 0.8 mAh/cm2",
        executed=Executed("li-li/wng", "03-0.8mA-0.8mAh", {"cycles: 500": "cycles: 3"}),
    ),
    4: Row(
        "Li||Li 2 mA/cm2, 1 mAh/cm2", (Numbers(("li-li/wng", "li-li/wng-control"), LIVES, _cycling(2, 1)),)
    ),
    5: Row(
        "Li||Li 5 mA/cm2, 1 mAh/cm2", (Numbers(("li-li/wng", "li-li/wng-control"), LIVES, _cycling(5, 1)),)
    ),
    6: Row("interfacial resistance", (Numbers(("li-li/wng", "li-li/wng-control"), ("resistance",)),)),
    7: Row("CE 0.25 mA/cm2", (Numbers(("li-cu/wng", "li-cu/wng-control"), E1, _cycling(0.25, 1)),)),
    8: Row("CE 0.5 mA/cm2", (Numbers(("li-cu/wng", "li-cu/wng-control"), E1, _cycling(0.5, 1)),)),
    9: Row("CE 1 mA/cm2", (Numbers(("li-cu/wng", "li-cu/wng-control"), E1, _cycling(1, 1)),)),
    10: Row(
        "plating to several capacities, ten cycles",
        executed=Executed("li-cu/wng", "10b-ten-cycles", {"cycles: 10": "cycles: 3"}),
    ),
    11: Row("Li||LFP rates", executed=Executed("li-lfp/wng", "11-rates")),
    12: Row(
        "Li||LFP 0.5 C, tenth cycle", (Numbers(("li-lfp/wng", "li-lfp/wng-control"), FULL, {"rate": 0.5}),)
    ),
    13: Row("Li||LFP 1 C", (Numbers(("li-lfp/wng", "li-lfp/wng-control"), FULL, {"rate": 1.0}),)),
    14: Row("Li||LFP 2 C", (Numbers(("li-lfp/wng", "li-lfp/wng-control"), FULL, {"rate": 2.0}),)),
    15: Row("Li||LFP 3 C", (Numbers(("li-lfp/wng", "li-lfp/wng-control"), FULL, {"rate": 3.0}),)),
    16: Row("micrographs after 100 and 300 cycles", reason=MICROSCOPE),
}

BN_PP: Final = {
    1: Row("conductivity", (Numbers(("ss-ss/bn-pp", "ss-ss/pp"), ("conductivity",)),)),
    2: Row("transference number", (Numbers(("li-li/bn-pp", "li-li/pp"), ("transference",)),)),
    3: Row("Li||Li 1 mA/cm2, 1 mAh/cm2", (Numbers(("li-li/bn-pp", "li-li/pp"), LIVES, _cycling(1, 1)),)),
    4: Row("Li||Li 3 mA/cm2, 3 mAh/cm2", (Numbers(("li-li/bn-pp", "li-li/pp"), LIVES, _cycling(3, 3)),)),
    5: Row("CE 0.5 mA/cm2", (Numbers(("li-cu/bn-pp", "li-cu/pp"), E1),)),
    6: Row(
        "spectra over cycles",
        executed=Executed(
            "li-li/bn-pp", "06-impedance-over-cycles", {"cycles: 100": "cycles: 4", "every: 20": "every: 2"}
        ),
    ),
    7: Row(
        "sweeps after cycles, Tafel",
        executed=Executed(
            "li-li/bn-pp", "07-exchange-current", {"repeat: 100": "repeat: 4", "20, 50, 100": "2, 4"}
        ),
    ),
    8: Row(
        "Li||Li in carbonate 1 mA/cm2",
        (Numbers(("li-li/bn-pp-carbonate", "li-li/pp-carbonate"), LIVES, _cycling(1, 1)),),
    ),
    9: Row(
        "Li||Li in carbonate 3 mA/cm2",
        (Numbers(("li-li/bn-pp-carbonate", "li-li/pp-carbonate"), LIVES, _cycling(3, 3)),),
    ),
    10: Row("Na||Na", (Numbers(("na-na/bn-pp",), LIVES),)),
    11: Row("K||K", (Numbers(("k-k/bn-pp",), LIVES),)),
    12: Row("micrographs of deposits", reason=MICROSCOPE),
    13: Row("Li||LFP rates", executed=Executed("li-lfp/bn-pp", "13-lfp-rates")),
    14: Row("Li||LFP 1 C", (Numbers(("li-lfp/bn-pp", "li-lfp/pp"), FULL),)),
    15: Row("Li||LFP 30 mg/cm2", (Numbers(("li-lfp/bn-pp-thick", "li-lfp/pp-thick"), FULL),)),
    16: Row("Li||NCM523", (Numbers(("li-ncm523/bn-pp", "li-ncm523/pp"), FULL),)),
    17: Row("Li||S", (Numbers(("li-s/bn-pp", "li-s/pp"), FULL),)),
}

WN_MO2N: Final = {
    1: Row(
        "Li||Li 1 mA/cm2, 1 mAh/cm2",
        (
            Numbers(
                (
                    "li-li/wn-mo2n",
                    "li-li/wn-mo2n-wn",
                    "li-li/wn-mo2n-mo2n",
                    "li-li/wn-mo2n-hcn",
                    "li-li/wn-mo2n-foil",
                ),
                LIVES,
                _cycling(1, 1),
            ),
        ),
    ),
    2: Row("Li||Li spectrum", executed=Executed("li-li/wn-mo2n", "02-impedance")),
    3: Row("first plating", executed=Executed("li-li/wn-mo2n", "03-first-plating")),
    4: Row(
        "Li||Li 2 mA/cm2, 2 mAh/cm2",
        (Numbers(("li-li/wn-mo2n", "li-li/wn-mo2n-foil"), LIVES, _cycling(2, 2)),),
    ),
    5: Row(
        "host to lithium 1:2 and 1:4",
        reason="the text says only that 1:3 is better: too little for a cell of the other two",
    ),
    6: Row("micrographs of deposits", reason=MICROSCOPE),
    7: Row(
        "Li||NCM811 spectra over cycles",
        executed=Executed("li-ncm811/wn-mo2n", "07-ncm811-impedance", {"cycles: 100": "cycles: 2"}),
    ),
    8: Row(
        "activation energy of the SEI",
        (Numbers(("li-li/wn-mo2n", "li-li/wn-mo2n-foil"), ("activation-energy",)),),
    ),
    9: Row(
        "Li||NCM811, 400 cycles",
        (
            Numbers(
                (
                    "li-ncm811/wn-mo2n",
                    "li-ncm811/wn-mo2n-foil",
                    "li-ncm811/wn-mo2n-wn",
                    "li-ncm811/wn-mo2n-hcn",
                ),
                FULL,
            ),
        ),
    ),
    10: Row("Li||NCM811 rates", (Numbers(("li-ncm811/wn-mo2n",), ("rate-capacity",)),)),
    11: Row(
        "Li||NCM811 charge transfer",
        (Numbers(("li-ncm811/wn-mo2n", "li-ncm811/wn-mo2n-foil"), ("resistance",)),),
    ),
    12: Row("exchange current", (Numbers(("li-li/wn-mo2n", "li-li/wn-mo2n-foil"), ("exchange-current",)),)),
    13: Row("Li||NCM811 8.6 mg/cm2", (Numbers(("li-ncm811/wn-mo2n-thick",), FULL),)),
    14: Row("Li||NCM811 lean", (Numbers(("li-ncm811/wn-mo2n-lean",), FULL),)),
}

LIMMT: Final = {
    1: Row("transference number", (Numbers(("li-li/limmt", "li-li/limmt-pe"), ("transference",)),)),
    2: Row("activation energy", (Numbers(("li-li/limmt", "li-li/limmt-pe"), ("activation-energy",)),)),
    3: Row("exchange current", (Numbers(("li-li/limmt", "li-li/limmt-pe"), ("exchange-current",)),)),
    4: Row("nucleation", (Numbers(("li-cu/limmt",), ("nucleation",)),)),
    5: Row("current transients", executed=Executed("li-cu/limmt", "05-transients")),
    6: Row("CE 1 mAh/cm2", (Numbers(("li-cu/limmt", "li-cu/limmt-pe"), E1, _cycling(1, 1)),)),
    7: Row("CE 3 mAh/cm2", (Numbers(("li-cu/limmt",), E1, _cycling(1, 3)),)),
    8: Row("Li||Li 1 mA/cm2", (Numbers(("li-li/limmt", "li-li/limmt-pe"), LIVES, _cycling(1, 1)),)),
    9: Row("Li||Li 6 mA/cm2", (Numbers(("li-li/limmt",), LIVES, {"current": 60.0}),)),
    10: Row(
        "Li||Li 1 mA/cm2, 3 mAh/cm2", (Numbers(("li-li/limmt", "li-li/limmt-pe"), LIVES, _cycling(1, 3)),)
    ),
    11: Row("Li||NCM523 3 mg/cm2", (Numbers(("li-ncm523/limmt", "li-ncm523/limmt-pe"), FULL),)),
    12: Row("Li||NCM523 15 mg/cm2, lean", (Numbers(("li-ncm523/limmt-thick",), FULL),)),
    13: Row("Li||LFP 1 C", (Numbers(("li-lfp/limmt", "li-lfp/limmt-pe"), FULL),)),
    14: Row(
        "pouch cell",
        reason="the text says only that it is better: no loading of the other electrode, rate or number",
    ),
    15: Row(
        "bias for spectroscopy",
        executed=Executed(
            "li-li/limmt", "15-bias-for-spectroscopy", {"  - pause: Is the spectrometer ready?\n": ""}
        ),
    ),
    16: Row("micrographs of deposits", reason=MICROSCOPE),
}

POTA: Final = {
    1: Row(
        "spectra over storage",
        executed=Executed("li-li/pota-no3", "01-storage", {"spectra: 28": "spectra: 3"}),
    ),
    2: Row(
        "reduction of OTA", reason="needs a lithium-free salt and three electrodes: no such simulated cell"
    ),
    3: Row(
        "wide CV", executed=Executed("li-cu/pota-no3", "03-wide-cv", {"scans: 3": "scans: 1\n  step: 5 mV"})
    ),
    4: Row(
        "activation energy of the SEI",
        (Numbers(("li-li/pota-no3", "li-li/pota-bare", "li-li/pota-no3-10um"), ("activation-energy",)),),
    ),
    5: Row(
        "exchange current",
        (Numbers(("li-li/pota-no3", "li-li/pota-bare", "li-li/pota-no3-10um"), ("exchange-current",)),),
    ),
    6: Row("CV", executed=Executed("li-li/pota-no3", "06-cv", {"scans: 3": "scans: 1"})),
    7: Row("transference number", (Numbers(("li-li/pota-no3", "li-li/pota-bare"), ("transference",)),)),
    8: Row(
        "Li||Cu CV, plating overpotential",
        executed=Executed("li-cu/pota-no3", "08-cu-cv", {"scans: 3": "scans: 1"}),
    ),
    9: Row("nucleation and plateau", (Numbers(("li-cu/pota-no3", "li-cu/pota-bare"), ("nucleation",)),)),
    10: Row("CE 1 mA/cm2", (Numbers(("li-cu/pota-no3", "li-cu/pota-bare"), E1),)),
    11: Row(
        "CE, reservoir method", (Numbers(("li-cu/pota-no3", "li-cu/pota-bare"), ("reservoir-efficiency",)),)
    ),
    12: Row(
        "Li||Li in carbonate",
        (Numbers(("li-li/pota-pf6", "li-li/pota-tfsi", "li-li/pota-bare-carbonate"), LIVES),),
    ),
    13: Row(
        "Li||Li 1 mA/cm2, 1 mAh/cm2", (Numbers(("li-li/pota-no3", "li-li/pota-bare"), LIVES, _cycling(1, 1)),)
    ),
    14: Row("Li||Li 2 mA/cm2, 2 mAh/cm2", (Numbers(("li-li/pota-no3",), LIVES, _cycling(2, 2)),)),
    15: Row(
        "Li||Li 5 mA/cm2, 5 mAh/cm2", (Numbers(("li-li/pota-no3", "li-li/pota-bare"), LIVES, _cycling(5, 5)),)
    ),
    16: Row("micrographs of deposits", reason=MICROSCOPE),
    17: Row(
        "Li||LCO GITT",
        executed=Executed("li-lco/pota-no3", "17-gitt", {"lower: 3.0 V": "lower: 3.0 V\n  pulses: 4"}),
    ),
    18: Row(
        "Li||LCO CV",
        executed=Executed("li-lco/pota-no3", "18-lco-cv", {"to: 3.0 V": "to: 3.0 V\n  step: 5 mV"}),
    ),
    19: Row("Li||LCO rates", (Numbers(("li-lco/pota-no3",), ("rate-capacity",)),)),
    20: Row("Li||LCO 1 C", (Numbers(("li-lco/pota-no3", "li-lco/pota-bare"), FULL, {"rate": 1.0}),)),
    21: Row("Li||LCO N/P 4.28", (Numbers(("li-lco/pota-no3-np", "li-lco/pota-bare-np"), FULL),)),
    22: Row(
        "Li||LCO N/P 2.49",
        executed=Executed("li-lco/pota-no3-np", "22-lco-np-2.49", {"cycles: 100": "cycles: 2"}),
    ),
    23: Row("Li||NCM811", (Numbers(("li-ncm811/pota-no3", "li-ncm811/pota-bare"), FULL),)),
    24: Row(
        "Li||NCM811 spectra at cycle numbers",
        (Numbers(("li-ncm811/pota-no3", "li-ncm811/pota-bare"), ("resistance",)),),
    ),
    25: Row(
        "Li||LCO with other salts",
        executed=Executed("li-lco/pota-pf6", "25-lco-other-salts", {"cycles: 600": "cycles: 2"}),
    ),
}

PAPERS: Final[Mapping[str, Mapping[int, Row]]] = {
    "wng": WNG,
    "bn-pp": BN_PP,
    "wn-mo2n": WN_MO2N,
    "limmt": LIMMT,
    "pota": POTA,
}
