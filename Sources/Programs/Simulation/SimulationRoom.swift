/// Replaced.
public enum SimulationRoom {}
