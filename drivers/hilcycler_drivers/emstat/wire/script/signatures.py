"""What each command takes.

Letters stand for kinds of argument, in order:

v variable, d variable being declared, n variable or literal, l literal, t vartype, s text
"""

from __future__ import annotations

from typing import Final

SIGNATURES: Final[dict[str, str]] = {
    "var": "d", "array": "dl", "store_var": "vlt", "copy_var": "vv",
    "add_var": "vn", "sub_var": "vn", "mul_var": "vn", "div_var": "vn", "mod_var": "vn", "pow_var": "vn",
    "log_var": "vn", "alter_vartype": "vt", "int_to_float": "v", "float_to_int": "v",
    "mean": "vvn", "linear_fit": "vvvvn",
    "wait": "n", "timer_start": "", "timer_get": "v", "set_int": "n", "await_int": "",
    "set_pgstat_chan": "n", "set_pgstat_mode": "n", "set_max_bandwidth": "n",
    "set_range_minmax": "tnn", "set_range": "tn", "set_autoranging": "tnn",
    "set_acquisition_frac": "n", "set_acquisition_frac_autoadjust": "n",
    "set_e": "n", "set_i": "n", "cell_on": "", "cell_off": "", "meas": "nvt",
    "meas_loop_ocp": "vnn", "meas_loop_ca": "vvnnn", "meas_loop_cp": "vvnnn",
    "meas_loop_lsv": "vvnnnn", "meas_loop_lsp": "vvnnnn", "meas_loop_cv": "vvnnnnn",
    "meas_loop_eis": "vvvnnnnn", "meas_loop_geis": "vvvnnnnn",
    "pck_start": "", "pck_add": "n", "pck_end": "",
    "breakloop": "", "abort": "", "send_string": "s", "set_script_output": "n",
    "file_open": "sn", "file_close": "",
}  # fmt: skip

OPTIONS: Final[dict[str, dict[str, str]]] = {
    "cell_on": {"ocp": "n"},
    "meas_loop_cv": {"nscans": "n", "add_meas": "ntv"},
    "meas_loop_lsv": {"add_meas": "ntv"},
    "meas_loop_lsp": {"add_meas": "ntv"},
    "meas_loop_ca": {"add_meas": "ntv"},
    "meas_loop_cp": {"add_meas": "ntv"},
    "meas_loop_ocp": {"add_meas": "ntv"},
    "meas_loop_eis": {"eis_acdc": "vvvv", "eis_tdd": "vvnvn"},
    "meas_loop_geis": {"eis_acdc": "vvvv", "eis_tdd": "vvnvn"},
}
