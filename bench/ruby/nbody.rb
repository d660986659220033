bodies = Array.new(5) { |i| [i * 1.1, i * 0.7, i * 0.3, 0.01 * i, 0.02, 0.03, 1.0 + i] }
200.times do
  bodies.each_with_index do |a, i|
    bodies[(i + 1)..].each do |b|
      dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
      d2 = dx * dx + dy * dy + dz * dz
      mag = 0.01 / (d2 * Math.sqrt(d2))
      a[3] -= dx * b[6] * mag; a[4] -= dy * b[6] * mag; a[5] -= dz * b[6] * mag
      b[3] += dx * a[6] * mag; b[4] += dy * a[6] * mag; b[5] += dz * a[6] * mag
    end
  end
  bodies.each { |a| a[0] += 0.01 * a[3]; a[1] += 0.01 * a[4]; a[2] += 0.01 * a[5] }
end
bodies[0][0]
