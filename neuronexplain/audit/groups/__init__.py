"""Whether a network is right as often in each group of photographs, and which concepts carry a gap."""
