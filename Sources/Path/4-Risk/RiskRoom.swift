/// Replaced.
public enum RiskRoom {}
