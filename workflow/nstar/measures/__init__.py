"""What is measured on a network?"""
