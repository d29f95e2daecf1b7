# code.awk - measures C files: prints a line for each that is too long, and for each function and
# file that is. A function starts at a line in the first column that a lone { follows.
FNR == 1 {
    end_file()
    file = FILENAME
    start = 0
}
{
    lines = FNR
    if (length($0) > columns_max)
        print FILENAME ":" FNR ": a line of " length($0) " columns"
}
/^[A-Za-z_]/ && !in_function {
    start = FNR
}
/^[{]$/ {
    in_function = 1
}
/^[}]$/ && in_function {
    in_function = 0
    if (FNR - start + 1 > function_lines_max)
        print FILENAME ":" start ": a function of " FNR - start + 1 " lines"
}
END {
    end_file()
}
function end_file()
{
    if (file != "" && lines > file_lines_max)
        print file ": a file of " lines " lines"
}
