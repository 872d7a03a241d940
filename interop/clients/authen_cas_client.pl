# An application on Authen::CAS::Client, with the little that the library leaves to it. See README.md for what it answers.

use strict;
use warnings;

use Authen::CAS::Client;
use HTTP::Daemon;
use HTTP::Response;
use JSON::PP;
use URI;
use URI::QueryParam;

my ( $cas_url, $protocol, $app, $folder ) = @ENV{qw(CAS_URL CAS_PROTOCOL APP_URL APP_FOLDER)};
my $cas = Authen::CAS::Client->new($cas_url);

# It knows nothing of CAS 3; told another address it validates there, and the answer's document has the attributes.
my $validator = $protocol eq 'CAS 3' ? Authen::CAS::Client->new("$cas_url/p3") : $cas;

sub kept {
    my ($name) = @_;
    return unless $name =~ /\A[\w-]+\z/ && open my $file, '<', "$folder/$name";
    local $/ = undef;
    return decode_json(<$file>);
}

sub keep {
    my ( $name, $value ) = @_;
    return unless $name =~ /\A[\w-]+\z/;
    open my $file, '>', "$folder/$name" or die "$name: $!\n";
    print $file encode_json($value);
    close $file or die "$name: $!\n";
}

sub answer {
    my ( $status, $value, @headers ) = @_;
    return HTTP::Response->new( $status, undef, [ 'Content-Type' => 'application/json', @headers ], encode_json($value) );
}

sub attributes {
    my ($response) = @_;
    return {} unless ref $response->doc;
    my %attributes;
    push @{ $attributes{ $_->localname } }, $_->textContent
      for $response->doc->findnodes('//cas:attributes/*');
    return \%attributes;
}

sub validated {
    my ( $path, $service, $ticket ) = @_;
    my %options = ( renew => $path eq '/renew' );
    return $validator->validate( $service, $ticket, %options ) if $protocol eq 'CAS 1';
    $options{pgtUrl} = $ENV{APP_CALLBACK} if $path eq '/proxy';
    return $validator->service_validate( $service, $ticket, %options );
}

sub serve {
    my ($request) = @_;
    my $url = URI->new( $app . $request->uri->path_query );
    my ( $path, $ticket ) = ( $url->path, $url->query_param('ticket') );
    if ( $path eq '/callback' ) {
        my ( $iou, $pgt ) = ( $url->query_param('pgtIou'), $url->query_param('pgtId') );
        keep( $iou, { pgt => $pgt } ) if defined $iou;
        return answer( 200, {} );
    }
    my ($cookie) = ( $request->header('Cookie') // '' ) =~ /\bapp=(\w+)/;
    $cookie //= join '', map { ( 'a' .. 'z' )[ rand 26 ] } 1 .. 32;
    my $set = "app=$cookie; Path=/; HttpOnly";
    if ( $path eq '/logout' ) {
        keep( $cookie, {} );
        return answer( 302, {}, Location => $cas->logout_url );
    }

    # The service is the address without the ticket, which comes last.
    my $service = $url->as_string =~ s/[?&]ticket=[^&]*\z//r;
    if ( defined $ticket ) {
        my $response = validated( $path, $service, $ticket );
        return answer( 403, { error => ref $response } ) unless $response->is_success;
        my $granted = $path eq '/proxy' ? kept( $response->iou ) : undef;
        keep( $cookie,
            { user => $response->user, attributes => attributes($response), pgt => $granted && $granted->{pgt} } );
        return answer( 302, {}, Location => $service, 'Set-Cookie' => $set );
    }
    my $session = kept($cookie) // {};
    if ( $path eq '/gateway' && $session->{asked} ) {
        return answer( 200, { user => undef, attributes => {} } );
    }
    if ( !$session->{user} || ( $path eq '/proxy' && !$session->{pgt} ) ) {
        keep( $cookie, { asked => JSON::PP::true } );
        my $login = $cas->login_url( $service, renew => $path eq '/renew', gateway => $path eq '/gateway' );
        return answer( 302, {}, Location => $login, 'Set-Cookie' => $set );
    }
    if ( $path eq '/proxy' ) {
        return answer( 200, { ticket => $cas->proxy( $session->{pgt}, $url->query_param('target') )->proxy_ticket } );
    }
    return answer( 200, { user => $session->{user}, attributes => $session->{attributes} } );
}

my $daemon = HTTP::Daemon->new( LocalAddr => '127.0.0.1', LocalPort => $ENV{APP_PORT}, ReuseAddr => 1 )
  or die "no socket: $!\n";
$| = 1;
print encode_json( { version => $Authen::CAS::Client::VERSION } ), "\n";
while ( my $connection = $daemon->accept ) {
    if ( my $request = $connection->get_request ) {
        my $response = eval { serve($request) } // answer( 500, { error => "$@" } );
        $response->header( Connection => 'close' );
        $connection->send_response($response);
    }
    $connection->close;
}
