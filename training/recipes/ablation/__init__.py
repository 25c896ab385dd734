"""What each part of the shipped recipe brings, and which front end: short runs, one factor at a time."""
