"""Options of all tasks with questions, and sizes at which tests are quick."""

QUESTIONS = {
    "arithmetic": {"kind": "arithmetic", "modulus": 11},
    "longest_increasing_subsequence": {"kind": "longest_increasing_subsequence", "numbers": 250},
    "edit_distance": {"kind": "edit_distance", "letters": 26, "fewest_used": 3, "most_used": 10},
    "linear_equations": {"kind": "linear_equations", "modulus": 11},
}
VARIANTS = QUESTIONS | {
    "arithmetic modulo 3": {"kind": "arithmetic", "modulus": 3},
    "local subsequence": {"kind": "longest_increasing_subsequence", "numbers": 20, "locality": 2},
    "consistent edit distance": {"kind": "edit_distance", "border": "gap"},
    "edit distance of three letters": {"kind": "edit_distance", "letters": 3, "most_used": 3},
    "binary equations": {"kind": "linear_equations", "modulus": 2},
}
"""The same tasks, and others of them."""
