"""How is a store written whole, how is a reader sure of it, and who is making one?"""
