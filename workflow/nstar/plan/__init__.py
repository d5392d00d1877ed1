"""What is missing, what will it cost, and which job makes it?"""
