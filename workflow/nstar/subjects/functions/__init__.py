"""Which functions do networks compute, and how sharp are their minima?"""
