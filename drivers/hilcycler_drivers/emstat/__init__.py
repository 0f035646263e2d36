"""EmStat4, MultiEmStat4 and Nexus potentiostats, which speak MethodSCRIPT."""
