"""The commands that a cycler needs, as the manuals write them, in both dialects. Pure.

Sources: Model 2450 Interactive SourceMeter Instrument Reference Manual, chapter 6 (SCPI command
reference); Model 2400 Series SourceMeter User's Manual, section 18. Where a command exists in one
dialect only, its comment says so.
"""

from __future__ import annotations

from typing import Final

from hilcycler_drivers.keithley.wire.scpi import Header

IDENTITY: Final = Header("*IDN")
LANGUAGE: Final = Header("*LANG")  # 2450 family: SCPI, TSP or SCPI2400; changed only by a power cycle
RESET: Final = Header("*RST")
CLEAR: Final = Header("*CLS")
OPERATION_COMPLETE: Final = Header("*OPC")
EVENT_STATUS: Final = Header("*ESR")
STATUS_BYTE: Final = Header("*STB")
WAIT: Final = Header("*WAI")
STATUS_PRESET: Final = Header(":STATus:PRESet")

ERROR: Final = Header(":SYSTem:ERRor[:NEXT]")
ERROR_COUNT: Final = Header(":SYSTem:ERRor:COUNt")
CLEAR_ERRORS: Final = Header(":SYSTem:CLEar")

OUTPUT: Final = Header(":OUTPut[:STATe]")
OFF_STATE_CURRENT: Final = Header(":OUTPut:CURRent:SMODe")  # 2450 family, one for each function
OFF_STATE_VOLTAGE: Final = Header(":OUTPut:VOLTage:SMODe")
OFF_STATE_2400: Final = Header(":OUTPut:SMODe")
INTERLOCK: Final = Header(":OUTPut:INTerlock:TRIPped")
TERMINALS: Final = Header(":ROUTe:TERMinals")

SOURCE_FUNCTION: Final = Header(":SOURce:FUNCtion[:MODE]")
CURRENT: Final = Header(":SOURce:CURRent[:LEVel][:IMMediate][:AMPLitude]")
CURRENT_MODE_2400: Final = Header(":SOURce:CURRent:MODE")
CURRENT_RANGE: Final = Header(":SOURce:CURRent:RANGe")
CURRENT_RANGE_AUTO: Final = Header(":SOURce:CURRent:RANGe:AUTO")
CURRENT_DELAY: Final = Header(":SOURce:CURRent:DELay")
VOLTAGE_LIMIT: Final = Header(":SOURce:CURRent:VLIMit[:LEVel]")
VOLTAGE_LIMIT_TRIPPED: Final = Header(":SOURce:CURRent:VLIMit[:LEVel]:TRIPped")
CURRENT_READ_BACK: Final = Header(":SOURce:CURRent:READ:BACK")
VOLTAGE: Final = Header(":SOURce:VOLTage[:LEVel][:IMMediate][:AMPLitude]")
VOLTAGE_MODE_2400: Final = Header(":SOURce:VOLTage:MODE")
VOLTAGE_RANGE: Final = Header(":SOURce:VOLTage:RANGe")
VOLTAGE_RANGE_AUTO: Final = Header(":SOURce:VOLTage:RANGe:AUTO")
VOLTAGE_DELAY: Final = Header(":SOURce:VOLTage:DELay")
CURRENT_LIMIT: Final = Header(":SOURce:VOLTage:ILIMit[:LEVel]")
CURRENT_LIMIT_TRIPPED: Final = Header(":SOURce:VOLTage:ILIMit[:LEVel]:TRIPped")
VOLTAGE_READ_BACK: Final = Header(":SOURce:VOLTage:READ:BACK")
OVERVOLTAGE: Final = Header(":SOURce:VOLTage:PROTection[:LEVel]")
OVERVOLTAGE_TRIPPED: Final = Header(":SOURce:VOLTage:PROTection[:LEVel]:TRIPped")

SENSE_FUNCTION: Final = Header(":SENSe:FUNCtion[:ON]")
SENSE_CONCURRENT_2400: Final = Header(":SENSe:FUNCtion:CONCurrent")
SENSE_COUNT: Final = Header(":SENSe:COUNt")
SENSE_VOLTAGE_RANGE: Final = Header(":SENSe:VOLTage[:DC]:RANGe[:UPPer]")
SENSE_VOLTAGE_RANGE_AUTO: Final = Header(":SENSe:VOLTage[:DC]:RANGe:AUTO")
SENSE_VOLTAGE_NPLC: Final = Header(":SENSe:VOLTage[:DC]:NPLCycles")
SENSE_VOLTAGE_FOUR_WIRE: Final = Header(":SENSe:VOLTage[:DC]:RSENse")
SENSE_CURRENT_RANGE: Final = Header(":SENSe:CURRent[:DC]:RANGe[:UPPer]")
SENSE_CURRENT_RANGE_AUTO: Final = Header(":SENSe:CURRent[:DC]:RANGe:AUTO")
SENSE_CURRENT_NPLC: Final = Header(":SENSe:CURRent[:DC]:NPLCycles")
SENSE_CURRENT_FOUR_WIRE: Final = Header(":SENSe:CURRent[:DC]:RSENse")
VOLTAGE_PROTECTION_2400: Final = Header(":SENSe:VOLTage[:DC]:PROTection[:LEVel]")
VOLTAGE_PROTECTION_TRIPPED_2400: Final = Header(":SENSe:VOLTage[:DC]:PROTection:TRIPped")
CURRENT_PROTECTION_2400: Final = Header(":SENSe:CURRent[:DC]:PROTection[:LEVel]")
CURRENT_PROTECTION_TRIPPED_2400: Final = Header(":SENSe:CURRent[:DC]:PROTection:TRIPped")
FOUR_WIRE_2400: Final = Header(":SYSTem:RSENse")
ELEMENTS_2400: Final = Header(":FORMat:ELEMents")

READ: Final = Header(":READ")
FETCH: Final = Header(":FETCh")
MEASURE_VOLTAGE: Final = Header(":MEASure:VOLTage[:DC]")
MEASURE_CURRENT: Final = Header(":MEASure:CURRent[:DC]")

TRACE_MAKE: Final = Header(":TRACe:MAKE")
TRACE_DELETE: Final = Header(":TRACe:DELete")
TRACE_CLEAR: Final = Header(":TRACe:CLEar")
TRACE_ACTUAL: Final = Header(":TRACe:ACTual")
TRACE_DATA: Final = Header(":TRACe:DATA")
TRACE_POINTS: Final = Header(":TRACe:POINts")
TRIGGER_LOAD: Final = Header(":TRIGger:LOAD")
TRIGGER_STATE: Final = Header(":TRIGger:STATe")
INITIATE: Final = Header(":INITiate[:IMMediate]")
ABORT: Final = Header(":ABORt")

LIMIT_MARGIN: Final = 0.05
"""Volts: the instrument's own limit lies this far outside the envelope, so that the host sees the
crossing first and a clamped cell is told apart from a full one."""
