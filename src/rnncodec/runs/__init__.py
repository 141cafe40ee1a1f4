"""What a run and a sweep keep on disk: directories, names, settings, states, locks."""
