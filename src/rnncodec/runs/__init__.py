"""What a run and a sweep store on disk: directories, names, settings, states, locks."""
