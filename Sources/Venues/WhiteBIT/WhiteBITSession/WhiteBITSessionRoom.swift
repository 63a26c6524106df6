/// Replaced.
public enum WhiteBITSessionRoom {}
