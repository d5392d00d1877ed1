"""What does each stage do with stores?"""
