"""How are the replicates of a pack trained?"""
