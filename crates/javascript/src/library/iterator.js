// iterator
