"""How is a configuration read, and how is a wrong one refused?"""
