def tree(depth) = depth.zero? ? [nil, nil] : [tree(depth - 1), tree(depth - 1)]
def check(node) = node[0] ? 1 + check(node[0]) + check(node[1]) : 1
check(tree(13))
