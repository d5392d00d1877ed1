"""What can a study be about? The declaration of every subject."""
