"""Where closures of branches meet: emptiness, dimension and members of intersections."""
