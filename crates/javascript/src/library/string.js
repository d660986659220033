// string
