Gem::Specification.new do |spec|
  spec.name = "pamphlet"
  spec.version = "1.0.0"
  spec.summary = "A little markup, for tests"
  spec.authors = ["Oubliette"]
  spec.files = Dir["lib/**/*.rb"]
end
