"HELLO→Str1
Disp Str1+" WORLD",length(Str1),sub(Str1,2,3),inString(Str1,"L
If Str1="HELLO
Disp "SAME
Disp expr("2+3
toString(42)+"!"
