module MiniLib
  module Inner
    LIST = [1, 2]
  end
end
