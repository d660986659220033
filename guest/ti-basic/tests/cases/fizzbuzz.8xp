For(I,1,15)
If not(remainder(I,15
Then
Disp "FIZZBUZZ
Else
If not(remainder(I,3:Disp "FIZZ
If not(remainder(I,5:Disp "BUZZ
If remainder(I,3) and remainder(I,5:Disp I
End
End
