/// Replaced.
public enum WhiteBITDeskRoom {}
