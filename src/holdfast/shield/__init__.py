"""The brain: samples and counters in, mitigations out. Pure: no I/O, and the clock is a parameter."""
