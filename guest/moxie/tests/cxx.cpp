// C++ as a contract can have it: classes, virtual functions, templates, new and delete, static construction; no exceptions, no run-time types.

#include <oubliette.h>
#include <stdio.h>

struct Shape {
	virtual ~Shape() { alive--; }
	virtual int area() const = 0;
	static int alive;

protected:
	Shape() { alive++; }
};
int Shape::alive;

struct Square : Shape {
	explicit Square(int side) : side(side) {}
	int area() const override { return side * side; }
	int side;
};

struct Rectangle final : Shape {
	Rectangle(int width, int height) : width(width), height(height) {}
	int area() const override { return width * height; }
	int width, height;
};

template <typename T, unsigned N> struct Stack {
	void push(T value) { items[count++] = value; }
	template <typename F> void each(F &&visit) const
	{
		for (unsigned i = 0; i < count; i++)
			visit(items[i]);
	}
	T items[N];
	unsigned count = 0;
};

static Stack<Shape *, 8> shapes;
static Square constructed(7); // by the start-up code

static Rectangle &lazy()
{
	static Rectangle once(2, 3);
	return once;
}

int main()
{
	int total = 0;
	long long *many = new long long[100];

	shapes.push(new Square(3));
	shapes.push(new Rectangle(4, 5));
	shapes.push(&constructed);
	shapes.push(&lazy());
	shapes.push(&lazy());
	shapes.each([&](const Shape *shape) { total += shape->area(); });
	if (total != 9 + 20 + 49 + 6 + 6 || Shape::alive != 4)
		return 1;
	delete shapes.items[0];
	delete shapes.items[1];
	if (Shape::alive != 2)
		return 2;
	for (int i = 0; i < 100; i++)
		many[i] = i;
	delete[] many;
	printf("C++ is well\n");
	return 0;
}
