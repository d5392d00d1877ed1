"""Figure 1 of Yang et al. (2024), arXiv:2402.13934, read off its colours: accuracy in per cent, +-0.5.

By task and family, for each problem size (tokens of a text) the accuracies of widths 32, 64, 128, 256,
512 and, but for arithmetic, 1024. 0.5 stands for 0 to 0.5, 99.9 for 99.5 to 100. One run each.
"""

ACCURACIES = {
    ("arithmetic", "softmax"): {
        87: (11.1, 94.1, 99.9, 99.9, 99.9),
        221: (9.0, 77.9, 99.7, 99.9, 99.9),
        355: (6.1, 54.8, 99.0, 99.9, 99.9),
        505: (4.7, 38.3, 97.0, 99.9, 99.9),
    },
    ("arithmetic", "linear"): {
        87: (11.0, 42.3, 99.5, 99.9, 99.9),
        221: (9.5, 9.9, 68.3, 99.9, 99.9),
        355: (9.5, 9.5, 24.3, 98.2, 99.9),
        505: (9.0, 9.1, 11.7, 88.0, 99.7),
    },
    ("arithmetic", "sparse"): {
        87: (11.0, 79.4, 98.2, 99.9, 99.9),
        221: (9.1, 13.3, 88.5, 99.0, 99.7),
        355: (7.7, 11.0, 44.2, 99.0, 99.7),
        505: (7.7, 5.5, 42.4, 97.9, 99.7),
    },
    ("edit_distance", "softmax"): {
        72: (1.2, 99.9, 99.9, 99.9, 99.9, 99.9),
        210: (0.5, 0.5, 99.9, 99.9, 99.9, 99.9),
        342: (0.5, 0.5, 99.9, 99.9, 99.9, 99.9),
        506: (0.5, 0.5, 99.0, 99.9, 99.9, 99.9),
    },
    ("edit_distance", "linear"): {
        72: (1.2, 1.2, 99.9, 99.9, 99.9, 99.9),
        210: (0.5, 0.5, 0.5, 99.9, 99.9, 99.9),
        342: (0.5, 0.5, 0.5, 99.5, 99.9, 99.9),
        506: (0.5, 0.5, 0.5, 27.0, 99.9, 99.9),
    },
    ("edit_distance", "sparse"): {
        72: (1.2, 38.5, 99.5, 99.9, 99.9, 99.9),
        210: (0.5, 0.5, 1.2, 12.1, 73.5, 90.0),
        342: (0.5, 0.5, 0.5, 0.5, 77.2, 97.0),
        506: (0.5, 0.5, 0.5, 0.5, 62.5, 85.0),
    },
    ("longest_increasing_subsequence", "softmax"): {
        83: (2.7, 42.3, 86.1, 99.9, 99.9, 99.9),
        223: (0.5, 2.8, 45.7, 99.9, 99.9, 99.9),
        352: (0.5, 1.0, 24.3, 99.9, 99.9, 99.9),
        502: (0.5, 0.5, 46.5, 99.9, 99.9, 99.9),
    },
    ("longest_increasing_subsequence", "linear"): {
        83: (2.0, 11.1, 29.3, 78.4, 99.9, 99.9),
        223: (0.5, 0.5, 2.0, 34.8, 96.3, 97.4),
        352: (0.5, 0.5, 0.5, 4.4, 39.6, 94.7),
        502: (0.5, 0.5, 0.5, 1.0, 81.0, 92.3),
    },
    ("longest_increasing_subsequence", "sparse"): {
        83: (1.2, 3.3, 5.1, 7.9, 48.7, 66.6),
        223: (0.5, 1.0, 1.2, 2.3, 2.3, 3.3),
        352: (0.5, 0.5, 0.5, 0.5, 1.0, 1.0),
        502: (0.5, 0.5, 0.5, 0.5, 0.5, 1.0),
    },
}

SIZES = {
    "arithmetic": {6: 87, 10: 221, 13: 355, 16: 505},
    "edit_distance": {6: 72, 12: 210, 16: 342, 20: 506},
    "longest_increasing_subsequence": {40: 83, 110: 223, 175: 352, 250: 502},
}
"""The label of the figure by n; those of 13 and 16 operators and of 175 and 250 numbers are inferred."""

SLOPES = {
    ("arithmetic", "softmax"): (0.00, 0.79),
    ("arithmetic", "linear"): (0.39, 0.99),
    ("arithmetic", "sparse"): (0.00, 0.79),
    ("edit_distance", "softmax"): (0.00, 0.71),
    ("edit_distance", "linear"): (0.36, 0.89),
    ("edit_distance", "sparse"): (1.30, 1.42),
    ("longest_increasing_subsequence", "softmax"): (-0.39, 0.39),
    ("longest_increasing_subsequence", "linear"): (0.00, 0.70),
}
"""Slopes of lines of log D* in log L through all brackets of the figure at 90 %, derived by us; sparse
attention on subsequences reaches it nowhere."""
