"""What travels to and from a Keithley SMU: headers, models, readings. Pure; both ends use it."""
