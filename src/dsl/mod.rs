//! Describe: streams and tables become a blueprint plus typed recipes.
