module MiniLib
  def self.add(a, b) = a + b
end
