"""How much data does a model need, and how does the need grow?"""
