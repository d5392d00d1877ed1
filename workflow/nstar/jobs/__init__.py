"""What each script does: read stores, call the science, write stores. May import everything."""
