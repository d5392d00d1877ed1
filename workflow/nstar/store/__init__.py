"""How is a store written whole, and how is a reader sure of it?"""
