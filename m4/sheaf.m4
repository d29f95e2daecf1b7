# sheaf.m4 - finds libraries and collects what is missing, so that one message names it all.

# SHEAF_FIND(VARIABLE, PKG-CONFIG MODULE, DEBIAN PACKAGE)
# Sets VARIABLE_CFLAGS and VARIABLE_LIBS.
AC_DEFUN([SHEAF_FIND], [
    PKG_CHECK_MODULES([$1], [$2], [], [SHEAF_ADD_MISSING([$2], [$3])])
])

# SHEAF_FIND_HEADER(HEADER, DEBIAN PACKAGE)
AC_DEFUN([SHEAF_FIND_HEADER], [
    AC_CHECK_HEADER([$1], [], [SHEAF_ADD_MISSING([<$1>], [$2])])
])

# SHEAF_FIND_MPI
# Sets MPI_CFLAGS and MPI_LIBS from pkg-config or, failing that, from mpicc. Everything is compiled
# by the plain compiler; the headers count as system headers, so that they raise no warnings.
AC_DEFUN([SHEAF_FIND_MPI], [
    PKG_CHECK_MODULES([MPI], [ompi-c],
        [sheaf_mpi_found="Open MPI `$PKG_CONFIG --modversion ompi-c` (pkg-config)"], [
        AC_PATH_PROG([MPICC], [mpicc])
        AS_IF([test -n "$MPICC" && MPI_CFLAGS=`$MPICC --showme:compile 2>/dev/null`], [
            MPI_LIBS=`$MPICC --showme:link`
            sheaf_mpi_found="Open MPI ($MPICC)"
        ], [
            SHEAF_ADD_MISSING([Open MPI], [libopenmpi-dev openmpi-bin])
        ])
    ])
    MPI_CFLAGS=`AS_ECHO([" $MPI_CFLAGS"]) | sed 's/ -I/ -isystem /g'`
])

# SHEAF_ADD_MISSING(WHAT, DEBIAN PACKAGES)
AC_DEFUN([SHEAF_ADD_MISSING], [
    sheaf_missing="$sheaf_missing $1,"
    sheaf_missing_packages="$sheaf_missing_packages $2"
])

# SHEAF_REPORT_MISSING
# Ends configure with one message if anything was missing.
AC_DEFUN([SHEAF_REPORT_MISSING], [
    AS_IF([test -n "$sheaf_missing"], [
        AC_MSG_ERROR([not found:${sheaf_missing%,}.
On Debian and Ubuntu: apt-get install$sheaf_missing_packages
(or let ./bootstrap do it). Elsewhere install the development packages of the same libraries.])
    ])
])

# SHEAF_SWITCH(NAME, WHAT IT DOES)
# Defines --enable-NAME, off unless asked for.
AC_DEFUN([SHEAF_SWITCH], [
    AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2])], [], [AS_VAR_SET([enable_$1], [no])])
])

# SHEAF_CHECK_LIBFUZZER
# Ends configure if the compiler cannot link a libFuzzer program.
AC_DEFUN([SHEAF_CHECK_LIBFUZZER], [
    AC_MSG_CHECKING([whether $CC has libFuzzer])
    sheaf_saved_cflags=$CFLAGS
    CFLAGS="$CFLAGS -fsanitize=fuzzer"
    AC_LINK_IFELSE([AC_LANG_SOURCE([[
        #include <stddef.h>
        int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
        int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
        {
            return data != NULL && size > (size_t)-2;
        }]])],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([--enable-fuzzing needs clang with libFuzzer: add CC=clang (Debian: apt-get install clang)])])
    CFLAGS=$sheaf_saved_cflags
])
