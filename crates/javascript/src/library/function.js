// function
