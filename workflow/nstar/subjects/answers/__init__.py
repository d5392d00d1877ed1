"""How wide does a model have to be before it answers questions?"""
