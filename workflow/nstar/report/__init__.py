"""What do all figures and pages share?"""
