"""The recipe's networks beside other systems and on other corpora."""
