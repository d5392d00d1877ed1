"""What is a study about?"""
