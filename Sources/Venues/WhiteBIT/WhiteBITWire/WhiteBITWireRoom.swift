/// Replaced.
public enum WhiteBITWireRoom {}
