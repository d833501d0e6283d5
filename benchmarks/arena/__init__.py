"""Checkers of gradients side by side: the same functions and pullbacks, right and wrong, through each of them."""
