/// Replaced.
public enum DashboardRoom {}
