# Runs the portal of LemonLDAP::NG as a CAS server on a free loopback port, for tests.
#
#     perl lemonldap.pl FOLDER
#
# Configuration, sessions and caches go into FOLDER. One JSON line on standard output says where the server is and who may
# sign in: {"cas_url": "http://127.0.0.1:PORT/cas", "username": ..., "password": ...}. It ends with standard input.
#
# With CASQUE_KIT_SERVICE set, that service may log in as well and is told of logouts; callbacks for proxy-granting tickets
# are trusted by the certificates in CASQUE_KIT_CA.

use strict;
use warnings;

use HTTP::Server::PSGI;
use IO::Select;
use IO::Socket::INET;
use JSON qw(to_json);

my $folder = shift @ARGV or die "usage: perl lemonldap.pl FOLDER\n";
my $socket = IO::Socket::INET->new( LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 64, ReuseAddr => 1 )
  or die "no free port: $!\n";
my $portal = 'http://127.0.0.1:' . $socket->sockport . '/';

mkdir "$folder/$_" or die "$folder/$_: $!\n"
  for qw(conf cache sessions sessions/lock psessions psessions/lock);

sub write_file {
    my ( $name, $text ) = @_;
    open my $file, '>', "$folder/$name" or die "$name: $!\n";
    print $file $text;
    close $file or die "$name: $!\n";
}

write_file( 'lemonldap-ng.ini', <<"INI" );
[all]
logLevel = error
logger = Lemonldap::NG::Common::Logger::Std
userLogger = Lemonldap::NG::Common::Logger::Null
[configuration]
type = File
dirName = $folder/conf
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
INI

my %apps = ( app => { casAppMetaDataOptionsService => 'https://app.example.org/' } );
my %told = ( app => { mail => 'mail', cn => 'cn', uid => 'uid' } );
if ( my $kit = $ENV{CASQUE_KIT_SERVICE} ) {
    $apps{kit} = { casAppMetaDataOptionsService => $kit, casAppMetaDataOptionsLogout => 1 };
    $told{kit} = $told{app};
    $ENV{PERL_LWP_SSL_CA_FILE} = $ENV{CASQUE_KIT_CA};
}
my %store = ( generateModule => 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256' );
write_file(
    'conf/lmConf-1.json',
    to_json(
        {
            cfgNum                   => 1,
            cfgAuthor                => 'test',
            cfgDate                  => 1,
            cfgVersion               => '2.16.1',
            key                      => 'only-for-tests',
            domain                   => '127.0.0.1',
            portal                   => $portal,
            cookieName               => 'lemonldap',
            securedCookie            => 0,
            authentication           => 'Demo',
            userDB                   => 'Same',
            passwordDB               => 'Demo',
            registerDB               => 'Null',
            demoExportedVars         => { cn => 'cn', mail => 'mail', uid => 'uid' },
            whatToTrace              => '_whatToTrace',
            requireToken             => 1,
            captcha_login_enabled    => 0,
            captcha_mail_enabled     => 0,
            captcha_register_enabled => 0,
            portalCheckLogins        => 0,
            portalDisplayRegister    => 0,
            portalDisplayResetPassword => 0,
            globalStorage            => 'Apache::Session::File',
            globalStorageOptions     => { %store, Directory => "$folder/sessions", LockDirectory => "$folder/sessions/lock" },
            persistentStorage        => 'Apache::Session::File',
            persistentStorageOptions => { Directory => "$folder/psessions", LockDirectory => "$folder/psessions/lock" },
            localSessionStorage      => 'Cache::FileCache',
            localSessionStorageOptions => { cache_root => "$folder/cache", namespace => 'sessions', default_expires_in => 600 },
            locationRules            => {},
            exportedHeaders          => {},
            exportedVars             => {},
            groups                   => {},
            macros                   => { _whatToTrace => '$uid' },
            issuerDBCASActivation    => 1,
            issuerDBCASPath          => '^/cas/',
            issuerDBCASRule          => 1,
            casAccessControlPolicy   => 'error',
            casAppMetaDataOptions    => \%apps,
            casAppMetaDataExportedVars => \%told,
        }
    )
);
$ENV{LLNG_DEFAULTCONFFILE} = "$folder/lemonldap-ng.ini";

# The portal loads the module that draws captchas even when it shows none, and Debian only recommends it.
$INC{'GD/SecurityImage.pm'} = __FILE__;
require Lemonldap::NG::Portal;
my $app = Lemonldap::NG::Portal->run( {} );

my $server = fork // die "no process: $!\n";
if ( $server == 0 ) {
    my $psgi = HTTP::Server::PSGI->new( listen_sock => $socket, host => '127.0.0.1', port => $socket->sockport, timeout => 30 );
    open STDOUT, '>&', \*STDERR;
    $psgi->run($app);
    exit 0;
}
$| = 1;
print to_json( { cas_url => "${portal}cas", username => 'dwho', password => 'dwho' } ), "\n";
1 while sysread STDIN, my $ignored, 4096;
kill 'TERM', $server;
waitpid $server, 0;
